"""The live page at the auditor's `/`: what runs, what it lost, and two transactions that race before your eyes."""
