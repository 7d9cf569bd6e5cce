"""The pages of people in the field: doors, what they have seen, what they have to do. They open from the link in a message."""
