"""WHICH version runs here?"""
