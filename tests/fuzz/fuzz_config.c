/* SPDX-License-Identifier: MPL-2.0
 * Hostile configuration: what is refused adds nothing, and what is taken has come whole. */
#include <assert.h>
#include <string.h>

#include "nodes/host/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {.count = 0};
    char error[CONFIG_ERROR_SIZE];
    size_t kept = 0;

    if (config_parse("fuzz", bytes_of(data, size), &config, error) != GROVE_OK) {
        assert(config.count == 0 && config.file_count == 0 && strlen(error) > 0);
    }
    for (size_t i = 0; i < config.count; i++) {
        assert(config.entry[i].section[0] != '\0');
        kept += strlen(config.entry[i].value);
    }
    assert(kept <= size);
    config_clear(&config);
    return 0;
}
