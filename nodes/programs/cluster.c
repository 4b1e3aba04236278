/* SPDX-License-Identifier: MPL-2.0
 * grove cluster: who keeps the ledger, and changes of that; snapshots. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/wire.h"
#include "nodes/programs/cluster_view.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

static enum exit_code snapshot(const struct arguments *arguments, const struct credential *ours,
                               const char *path)
{
    uint64_t index;
    const enum exit_code code = operator_snapshot(ours, path, &index);

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

static enum exit_code change(const struct arguments *arguments, const struct credential *ours,
                             const char *path, enum change_kind kind)
{
    const char *name = arguments->word_count > 1 ? arguments->word[1] : "";
    const struct change wanted = {.kind = kind, .name = bytes_of_text(name)};

    if (kind != CHANGE_TRANSFER && name[0] == '\0') {
        complain("cluster %s: the name of a coordinator is needed", arguments->word[0]);
        return EXIT_USAGE;
    }
    return operator_change(ours, path, &wanted);
}

static enum exit_code perform(const struct arguments *arguments, const struct credential *ours,
                              const char *path)
{
    const char *verb = arguments->word[0];

    if (strcmp(verb, "snapshot") == 0) {
        return snapshot(arguments, ours, path);
    }
    if (strcmp(verb, "add") == 0) {
        return change(arguments, ours, path, CHANGE_ADD);
    }
    if (strcmp(verb, "remove") == 0) {
        return change(arguments, ours, path, CHANGE_REMOVE);
    }
    if (strcmp(verb, "transfer") == 0) {
        return change(arguments, ours, path, CHANGE_TRANSFER);
    }
    complain("cluster: status, add, remove, transfer or snapshot? See 'grove help cluster'");
    return EXIT_USAGE;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct credential credential;
    char path[PATH_MAX];
    enum exit_code code;

    if (arguments->word_count == 0 || arguments->word_count > 2) {
        complain("cluster: status, add, remove, transfer or snapshot? See 'grove help cluster'");
        return EXIT_USAGE;
    }
    if (strcmp(arguments->word[0], "status") == 0) {
        return cluster_status(arguments);
    }
    if (!operator_credential(arguments, &credential, path, &code)) {
        return code;
    }
    code = perform(arguments, &credential, path);
    credential_clear(&credential);
    return code;
}

const struct subcommand cluster_subcommand = {
    .name = "cluster",
    .summary = "Show and change who keeps the ledger",
    .usage = "status | add NAME | remove NAME | transfer [NAME] | snapshot",
    .description =
        "status shows each coordinator with its role, term, index, how far it lags, and its "
        "process "
        "id.\n"
        "add gives one that waits (grove coordinator --join) a vote, once it has caught up; remove "
        "takes it\n"
        "away; transfer hands leadership over. Each returns when that is in force. snapshot has "
        "the leader\n"
        "write a snapshot of the forest, and prints the ledger index that it covers.\n"
        "NAME is that of the coordinator's credential. All but status are for operators.",
    .run = run,
};
