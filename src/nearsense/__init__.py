"""nearsense finds texts that are near in sense, and says how sure it is."""
