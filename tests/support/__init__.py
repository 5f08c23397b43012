"""Helpers that several test folders share: hosts, clocks, disks, ports and sample messages."""
