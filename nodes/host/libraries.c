/* SPDX-License-Identifier: MPL-2.0
 * The libraries that we were linked to. */
#include "nodes/host/libraries.h"

#include <sodium.h>
#include <stdlib.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/log.h"

/* The base point B plus the point of order 2, which is (-x, -y) of B. Multiplied by the order of
 * the group it gives (0, -1): a check that looks at x alone takes it for the neutral point. */
static const uint8_t outside[crypto_core_ed25519_BYTES] = {
    0x95, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
    0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99};

static const uint8_t base[crypto_core_ed25519_BYTES] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};

enum grove_status host_check_libraries(void)
{
    if (sodium_init() < 0) {
        abort();
    }
    if (crypto_core_ed25519_is_valid_point(outside) != 0 ||
        crypto_core_ed25519_is_valid_point(base) != 1) {
        log_event(LOG_ERROR, "library unfit", "library=libsodium version=%s error=\"%s\"",
                  sodium_version_string(), "takes points outside the group (CVE-2025-69277)");
        return GROVE_VERSION;
    }
    if (!bus_context_has_curve()) {
        log_event(LOG_ERROR, "library unfit",
                  "library=libzmq error=\"older than 4.3.4, or without "
                  "CURVE\"");
        return GROVE_VERSION;
    }
    return GROVE_OK;
}
