/* tests/fuzz/config.c - an image config as a client reads it. */
#include <berth/config.h>
#include <berth/layout.h>

#include "fuzz.h"
#include "util/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    berth_config *c = NULL;
    berth_error err = BERTH_ERROR_INIT;
    int r = berth_config_parse(data, size, &c, &err);
    if (r != BERTH_OK) {
        require(r == BERTH_E_INVALID && err.message[0] && !c);
        return 0;
    }
    require(c->size == size && memcmp(c->data, data, size) == 0);
    for (size_t i = 0; i < c->n_labels; i++)
        require(berth_config_label(c, c->labels[i].key) != NULL);
    for (size_t i = 0; i < c->n_env; i++)
        require(c->env[i] != NULL);
    berth_config_validate(c, &err);
    berth_layout_file_check(data, size, &err);
    berth_config_free(c);
    return 0;
}
