"""The one dock of the plugin: four tabs, and below them what all of them share."""
