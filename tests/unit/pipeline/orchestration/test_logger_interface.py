"""The logger plugin against Snakemake's own tests of its interface, which version 1 of the interface lacks."""

import pytest

import snakemake_logger_plugin_touchstone as plugin

Interface = pytest.importorskip(
    "snakemake_interface_logger_plugins.tests", reason="an old Snakemake"
).TestLogHandlerBase


class TestInterface(Interface):
    __test__ = True

    def get_log_handler_cls(self):
        return plugin.LogHandler

    def get_log_handler_settings(self):
        return plugin.LogHandlerSettings()


class TestInterfaceWithAFile(Interface):
    __test__ = True

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self.file = tmp_path / "events.jsonl"

    def get_log_handler_cls(self):
        return plugin.LogHandler

    def get_log_handler_settings(self):
        return plugin.LogHandlerSettings(events=self.file)
