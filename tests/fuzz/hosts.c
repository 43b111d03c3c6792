/* tests/fuzz/hosts.c - the file of settings by registry: what is read is printed, and read the same again;
 * and something holds for every host in it. */
#include "cli/hosts.h"
#include "fuzz.h"

static void check_choices(const struct hosts *h)
{
    CLEANUP(berth_arena_done) berth_arena arena = BERTH_ARENA_INIT;
    const struct host_choice *chosen = NULL;
    size_t n = 0, count = 0;
    for (const struct hosts_entry *e = h->first; e && count < 16; e = e->next, count++) {
        require(hosts_choose(h, e->name, NULL, 0, &arena, &chosen, &n, NULL) == BERTH_OK && n >= e->n);
        for (size_t i = 0; i < n; i++)
            require(chosen[i].setting->n && cli_option_check(chosen[i].setting->option,
                                                             chosen[i].setting->values[0], NULL) == BERTH_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(hosts_done) struct hosts h = {.path = "/etc/hosts.yaml"}, again = {0};
    CLEANUP(berth_buf_done) berth_buf once = BERTH_BUF_INIT(16 * MIB), twice = BERTH_BUF_INIT(16 * MIB);
    berth_error err = BERTH_ERROR_INIT;
    int r = hosts_parse((berth_str){(const char *)data, size}, "f", &h, &err);
    if (r != BERTH_OK) {
        require(r == BERTH_E_INVALID && strncmp(err.message, "f:", 2) == 0);
        return 0;
    }
    check_choices(&h);
    hosts_print(&h, &once);
    require(!berth_buf_failed(&once));
    require(hosts_parse(berth_buf_str(&once), "f", &again, &err) == BERTH_OK);
    hosts_print(&again, &twice);
    require(str_eq(berth_buf_str(&once), berth_buf_str(&twice)));
    return 0;
}
