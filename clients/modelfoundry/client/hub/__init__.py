"""Folders as the Hugging Face Hub keeps them: what is written for it, and what is read of it. No torch, no pickle."""
