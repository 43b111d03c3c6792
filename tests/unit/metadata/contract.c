/* tests/unit/metadata/contract.c - the SQLite driver against the contract's suite. */
#include "contract/metadata.h"

static int open_fresh(const struct meta_times *times, meta **ret, berth_error *err)
{
    return meta_sqlite_open(":memory:", times, ret, err);
}

int main(void)
{
    static const struct metadata_driver sqlite_driver = {open_fresh, meta_sqlite_shift_clock};
    return metadata_contract(&sqlite_driver);
}
