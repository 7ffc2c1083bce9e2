"""What one example of the delivery machine runs with: limits so low that everything happens."""

from dataclasses import replace

from hypothesis import strategies as st

from tests.property.delivery_world import FEW_SENDS, STORE_TINY, Config
from wxserve.router.limits import RouterLimits

routers = st.builds(
    RouterLimits,
    outgoing_bytes_max=st.sampled_from([262_144, 400, 1]),
    outgoing_bytes_low=st.sampled_from([65_536, 200, 1]),
    submitted_bytes_max=st.sampled_from([1 << 20, 300]),
    credit_bytes=st.sampled_from([1 << 20, 700]),
    credit_entries=st.sampled_from([1024, 5, 1]),
    read_entries=st.sampled_from([128, 3, 1]),
    read_bytes=st.sampled_from([65_536, 300]),
    history_bytes=st.sampled_from([131_072, 300]),
    fanout_step_sessions=st.sampled_from([512, 2, 1]),
    fanouts_waiting_max=st.sampled_from([4096, 2, 1]),
    synced_interval_s=st.sampled_from([1.0, 0.1]),
    registers_pending_max=st.sampled_from([256, 1]),
)
stores = st.builds(
    lambda **limits: replace(STORE_TINY, **limits),
    batch_units_max=st.sampled_from([1024, 2, 1]),
    queue_units_max=st.sampled_from([32_768, 32_768, 4]),
    merge_entries=st.sampled_from([16_000, 4, 1]),
    merge_slice_rows=st.sampled_from([512, 3, 1]),
    conversations_cached_max=st.sampled_from([65_536, 2, 0]),
    devices_cached_max=st.sampled_from([65_536, 1, 0]),
    accounts_changed_max=st.sampled_from([1_000_000, 2, 0]),
    read_rows_max=st.sampled_from([256, 2, 1]),
    cursor_flush_s=st.sampled_from([2.0, 0.5]),
)
configs = st.builds(
    Config,
    seed=st.integers(0, 1 << 16),
    accounts=st.integers(2, 4),
    talking=st.sampled_from([True, True, False]),
    twins=st.booleans(),
    router=routers,
    store=stores,
    sends=st.sampled_from([None, None, FEW_SENDS]),
)
