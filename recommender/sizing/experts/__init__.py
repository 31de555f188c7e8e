"""The expert ensemble: simple sizing rules compete on what each workload really did, and are blended by their record.

An expert is a statistic of past days times a margin. After every day each expert is charged for the slack it would have
left and the overruns it would have suffered. A workload's own record, and that of workloads of its class where its own
is short, weigh the experts. Everything is a pure function over columns of workloads and bounded state: a summary of at
most 30 days (`days`) and two charges per expert (`ledger`). Nothing here sees a sample or a clock.

Read `days`, `catalogue`, `ledger`, `prior`, `decide` in this order; `hold`, `calibrate` and `explain` refine a decision.
"""
