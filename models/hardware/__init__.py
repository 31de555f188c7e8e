"""What a GPU is: peaks, memory, links, and the slices that MIG can cut it into.

Law: tables with their source and date, and pure functions over them; standard library only. A table is a prior:
names, memory and SM counts change with driver and board, so what NVML reports on the machine wins (`discovery`).

Sources, read between 2026-07 and 2026-09: NVIDIA MIG user guide "Supported MIG Profiles"; `nvidia-smi mig -lgip` and
`-lgipp` dumps in public issue threads (NVIDIA/mig-parted 120, 139, 166, 187, 227; NVIDIA/gpu-operator 900, 1303);
NVIDIA go-nvml mocks of A30 and A100; NVIDIA and AMD data sheets; Google Cloud TPU pages.
"""
