"""Small widgets that the screens share: lines of styled cells, the prompt."""
