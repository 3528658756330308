"""The keystore process of the slow lane, `python -I -m secretsd.adapters.keystore_process.slow_lane`."""

from secretsd.adapters.keystore_process.__main__ import main

if __name__ == "__main__":
    main()
