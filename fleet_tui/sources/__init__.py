"""What the tables show: windows on the read model, one for each kind of row."""
