/* SPDX-License-Identifier: MPL-2.0
 * grove cluster snapshot: have the coordinator write one. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

static enum exit_code run(const struct arguments *arguments)
{
    struct credential credential;
    char path[PATH_MAX];
    uint64_t index;
    enum exit_code code;

    if (arguments->word_count != 1 || strcmp(arguments->word[0], "snapshot") != 0) {
        complain("cluster: snapshot? See 'grove help cluster'");
        return EXIT_USAGE;
    }
    if (!operator_credential(arguments, &credential, path, &code)) {
        return code;
    }
    code = operator_snapshot(&credential, path, &index);
    credential_clear(&credential);
    if (code != EXIT_DONE) {
        return code;
    }
    if (argument_json(arguments)) {
        print_json(
            json_pack("{s:s, s:I}", "schema", "grove.snapshot/1", "index", (json_int_t)index));
    } else {
        printf("%" PRIu64 "\n", index);
    }
    return EXIT_DONE;
}

const struct subcommand cluster_subcommand = {
    .name = "cluster",
    .summary = "Operate the coordinator",
    .usage = "snapshot",
    .description = "snapshot has it write a snapshot of the forest, and prints the ledger index "
                   "that it covers.",
    .run = run,
};
