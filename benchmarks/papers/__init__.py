"""The papers' tables beside what this version measures."""
