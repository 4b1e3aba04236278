/* SPDX-License-Identifier: MPL-2.0
 * The smallest worker, to be called with `grove run -t hello world`. */
#include <grove.h>
#include <stdio.h>

static enum grove_status hello(struct grove_attempt *attempt, void *context)
{
    char text[100];
    int size = snprintf(text, sizeof(text), "%s, %.80s", (char *)context,
                        (const char *)grove_attempt_payload(attempt).data);

    return grove_attempt_return(attempt, text, (size_t)size);
}

int main(void)
{
    struct grove_worker *worker;
    char error[GROVE_ERROR_SIZE] = "cannot offer hello";

    if (grove_worker_open(NULL, &worker, error) != GROVE_OK ||
        grove_worker_handle(worker, "hello", hello, "hello") != GROVE_OK ||
        grove_worker_run(worker, error) != GROVE_OK) {
        fprintf(stderr, "hello: %s\n", error);
        return 1;
    }
    grove_worker_close(worker);
    return 0;
}
