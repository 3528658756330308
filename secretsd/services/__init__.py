"""Work that runs by itself: each service makes sure of one thing, and may be asked at any time, in any order."""
