"""The oracle, held against histories written by hand: lawful ones, and ones that are not."""
