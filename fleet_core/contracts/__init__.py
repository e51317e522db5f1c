"""What crosses the wire: names, buckets, subjects, scores, states, commands and resources."""
