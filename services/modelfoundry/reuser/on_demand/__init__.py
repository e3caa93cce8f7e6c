"""Requests for modules by label: chosen among what is there, made where they are missing."""
