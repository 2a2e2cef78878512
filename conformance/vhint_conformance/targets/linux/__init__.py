"""The Linux kernel's own driver, in a kernel that runs as an ordinary process."""
