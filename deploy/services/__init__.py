"""Real services for tests, benchmarks and play: fetched once per version, started on free ports, ended by process id.

Law: nothing is fetched except from package registries, nothing is written outside the cache and temporary folders, and
no started process outlives the one that started it. A service is one declaration in `registry`; how it is built and
started is one module beside it. Standard library and click only, so that it runs before anything else is installed.
"""
