/* SPDX-License-Identifier: MPL-2.0
 * How a command finds its mesh. */
#include "nodes/programs/connect.h"

#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/host/credential.h"

#define LOOK_AGAIN_US 20000

bool connect_choose(const struct arguments *arguments, char path[PATH_MAX], enum exit_code *code)
{
    const uint64_t until_ms = clock_monotonic_ms() + CONNECT_PATIENCE_MS;

    if (credential_find(argument_value(arguments, "credential"), path) != GROVE_OK) {
        complain("no credential: give --credential FILE, set GROVE_CREDENTIAL, or start grove dev");
        *code = EXIT_NO_LEADER;
        return false;
    }
    while (access(path, F_OK) != 0) {
        if (clock_monotonic_ms() >= until_ms) {
            complain("no mesh: there is no %s; start grove dev, or give --credential FILE", path);
            *code = EXIT_NO_LEADER;
            return false;
        }
        usleep(LOOK_AGAIN_US);
    }
    return true;
}

bool connect_client(const struct arguments *arguments, struct grove_client **client,
                    char path[PATH_MAX], enum exit_code *code)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    char error[GROVE_ERROR_SIZE];
    enum grove_status status;

    if (!connect_choose(arguments, path, code)) {
        return false;
    }
    options.credential_path = path;
    options.connect_timeout_ms = CONNECT_PATIENCE_MS;
    status = grove_client_open(&options, client, error);
    if (status != GROVE_OK) {
        complain("%s", error);
        *code = exit_of_status(status);
    }
    return status == GROVE_OK;
}
