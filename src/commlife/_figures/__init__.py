"""Drawing primitives: the house's colours, and small figures as SVG."""
