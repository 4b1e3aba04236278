/* SPDX-License-Identifier: MPL-2.0
 * grove version */
#include <stdio.h>

#include <sodium.h>

#include "nodes/grove.h"
#include "nodes/host/bus_context.h"
#include "nodes/programs/outcome.h"

static enum exit_code run(const struct arguments *arguments)
{
    char zmq[BUS_VERSION_SIZE];

    bus_context_version(zmq);
    if (argument_json(arguments)) {
        print_json(json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "schema", "grove.version/1",
                             "version", grove_version(), "libraries", "libzmq", zmq, "libsodium",
                             sodium_version_string(), "jansson", jansson_version_str()));
    } else {
        printf("grove %s (libzmq %s, libsodium %s, jansson %s)\n", grove_version(), zmq,
               sodium_version_string(), jansson_version_str());
    }
    return EXIT_DONE;
}

const struct subcommand version_subcommand = {
    .name = "version",
    .summary = "Show the versions of grove and of the libraries it runs with",
    .usage = "",
    .ignores_configuration = true,
    .run = run,
};
