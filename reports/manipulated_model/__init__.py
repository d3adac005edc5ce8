"""A manipulated model beside the network that it was made from: same inputs, other weights."""
