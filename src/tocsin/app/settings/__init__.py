"""The one typed settings tree, and what each part of the house takes of it."""
