"""The screens: one module for each view of the fleet, over two common bases."""
