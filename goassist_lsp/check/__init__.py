"""Stage 4: the type check. typecheck.py asks the Go type service; fake.py stands in for it in tests."""
