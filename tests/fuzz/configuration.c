/* tests/fuzz/configuration.c - a configuration file: it is refused with a line, or understood and printed so
 * that it reads back to the same. */
#include "daemon/config_private.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool alone;
    if (!alone) /* the file decides, not the environment of whoever runs this */
        clearenv();
    alone = true;

    struct config *c = NULL, *again = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (config_load_text((berth_str){(const char *)data, size}, "f", NULL, 0, &c, &err) < 0) {
        require(!c && err.code == BERTH_E_INVALID);
        require(err.message[0] == 'f' && err.message[1] == ':' && err.message[2] >= '1' &&
                err.message[2] <= '9');
        return 0;
    }
    berth_buf first = BERTH_BUF_INIT(16 * MIB), second = BERTH_BUF_INIT(16 * MIB), diff = BERTH_BUF_INIT(MIB);
    require(config_print(c, &first, &err) == BERTH_OK);
    if (first.n <= CONFIG_FILE_MAX) {
        require(config_load_text(berth_buf_str(&first), "g", NULL, 0, &again, &err) == BERTH_OK);
        require(config_print(again, &second, &err) == BERTH_OK);
        require(str_eq(berth_buf_str(&first), berth_buf_str(&second)));
        config_diff(c, again, &diff);
        require(!diff.n);
    }
    require(c->version == 1 && c->listen_count && c->registry.max_manifest_size >= 4 * MIB);
    berth_buf_done(&first);
    berth_buf_done(&second);
    berth_buf_done(&diff);
    config_free(c);
    config_free(again);
    return 0;
}
