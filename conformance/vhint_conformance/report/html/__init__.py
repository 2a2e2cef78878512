"""The report as one HTML file: nothing is fetched, and it reads without scripts."""
