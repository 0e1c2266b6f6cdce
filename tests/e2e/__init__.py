"""The chart on a kind cluster: installed, scaled, upgraded and broken as its users do it."""
