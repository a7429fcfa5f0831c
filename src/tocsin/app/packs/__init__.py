"""Rule packs: fetched, checked, compared, installed, updated and rolled back."""
