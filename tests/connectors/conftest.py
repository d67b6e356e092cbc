"""The example of a third party's package is no part of this suite; ``test_plugin.py`` runs its tests as its author would."""

collect_ignore = ["plugin_example"]
