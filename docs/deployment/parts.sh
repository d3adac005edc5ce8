#!/bin/bash
#SBATCH --array=1-20
#SBATCH --cpus-per-task=1 --mem=16G --time=04:00:00
# SLURM without a scheduler: each job does a twentieth of the tiles. Then, as docs/cluster.md says:
#   array=$(sbatch --parsable parts.sh SPEC)
#   sbatch --dependency=afterany:$array --mem=16G --wrap '.venv/bin/srd-audit run SPEC'
exec .venv/bin/srd-audit run "$1" --part "$SLURM_ARRAY_TASK_ID/20"
