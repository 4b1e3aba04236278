/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/client/places.h"

#include <stdio.h>
#include <string.h>

static unsigned take(struct places *places, const struct certificate *certificate)
{
    for (unsigned i = 0; i < places->count; i++) {
        if (key_equal(&places->list[i].identity, &certificate->sign_key)) {
            return i;
        }
    }
    return places->count < PLACES_MOST ? places->count++ : PLACES_MOST;
}

static unsigned set(struct places *places, const struct certificate *certificate,
                    struct bytes endpoint)
{
    const unsigned at = take(places, certificate);

    if (at < PLACES_MOST) {
        struct place_known *place = &places->list[at];

        place->identity = certificate->sign_key;
        place->link = certificate->link_key;
        if (!bytes_equal(endpoint, bytes_of_text(place->endpoint)) &&
            !bytes_equal(endpoint, bytes_of_text(place->other))) {
            memcpy(place->other, place->endpoint, sizeof(place->other));
            snprintf(place->endpoint, sizeof(place->endpoint), "%.*s", (int)endpoint.size,
                     (const char *)endpoint.data);
        }
    }
    return at;
}

void places_turn(struct places *places, unsigned at)
{
    struct place_known *place = &places->list[at];
    char endpoint[sizeof(place->endpoint)];

    if (place->other[0] != '\0') {
        memcpy(endpoint, place->endpoint, sizeof(endpoint));
        memcpy(place->endpoint, place->other, sizeof(endpoint));
        memcpy(place->other, endpoint, sizeof(endpoint));
    }
}

void places_init(struct places *places, const struct credential *credential)
{
    *places = (struct places){.mesh = credential->mesh};
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct coordinator_address *address = &credential->coordinator[i];

        set(places, &address->certificate, bytes_of_text(address->endpoint));
    }
}

unsigned places_add(struct places *places, const struct location *location)
{
    struct certificate certificate;

    if (certificate_open(location->certificate, &places->mesh, &certificate) != GROVE_OK ||
        (certificate.roles & ROLE_COORDINATOR) == 0) {
        return PLACES_MOST;
    }
    return set(places, &certificate, location->endpoint);
}
