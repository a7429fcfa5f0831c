"""What fills the disk, what may be deleted when, and what nothing deletes."""
