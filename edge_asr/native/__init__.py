"""The runtime without torch: C++ sources, how they are built, and where the library is found."""
