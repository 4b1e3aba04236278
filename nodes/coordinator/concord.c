/* SPDX-License-Identifier: MPL-2.0
 * Against faults of machine and program, not against enemies, who have no vote: a sum of 64 bits,
 * some nanoseconds for an effect. */
#include "nodes/coordinator/concord.h"

#define FACTOR UINT64_C(0x9e3779b97f4a7c15) /* odd, its bits without a pattern */

void concord_init(struct concord *concord)
{
    *concord = (struct concord){.entries = CONCORD_ENTRIES, .is_whole = true};
}

static uint64_t mixed(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * FACTOR;
    return sum ^ sum >> 32;
}

static void mix(struct concord *concord, uint64_t word)
{
    concord->sum = mixed(concord->sum, word);
}

/* What the ledger keeps; not what a replica counts since its start. */
static void mix_counters(struct concord *concord, const struct forest *forest)
{
    const struct forest_counters *counters = forest_counters(forest);

    mix(concord, forest_applied(forest));
    mix(concord, forest_now_ms(forest));
    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        mix(concord, counters->state[i]);
    }
    mix(concord, counters->roots);
    mix(concord, counters->open_roots);
    mix(concord, counters->sessions);
    mix(concord, counters->body_size);
    mix(concord, counters->settled_size);
    mix(concord, counters->remembered_size);
}

static struct peer_sum *place_of(struct peer_sum *sums, uint64_t stretch)
{
    return &sums[stretch % CONCORD_KEPT];
}

static void end_stretch(struct concord *concord, const struct forest *forest)
{
    mix_counters(concord, forest);
    concord->newest = (struct peer_sum){
        .entries = concord->entries, .stretch = concord->stretch, .sum = concord->sum};
    *place_of(concord->own, concord->stretch) = concord->newest;
    concord->is_news = true;
}

void concord_enter(struct concord *concord, uint64_t index, const struct forest *forest)
{
    const uint64_t stretch = index / concord->entries;

    if (concord->is_cut || stretch != concord->stretch) {
        if (concord->is_whole) {
            end_stretch(concord, forest);
        }
        concord->is_whole = !concord->is_cut;
        concord->is_cut = false;
        concord->stretch = stretch;
        concord->sum = 0;
    }
    mix(concord, index);
}

static bool is_for_proposer(enum effect_kind kind)
{
    return kind == EFFECT_ANSWER || kind == EFFECT_DONE || kind == EFFECT_APPENDED;
}

static uint64_t sum_of(const struct effect *effect)
{
    uint64_t sum = mixed(0, (uint64_t)effect->kind << 32 | (uint64_t)effect->refusal);
    uint64_t task[2];

    memcpy(task, &effect->task, sizeof(task));
    sum = mixed(sum, effect->session << 32 ^ effect->attempt);
    return mixed(mixed(sum, task[0]), task[1]);
}

/* What a command has done counts, not in which order. */
void concord_add(struct concord *concord, const struct effect *effects, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_for_proposer(effects[i].kind)) {
            sum += sum_of(&effects[i]);
        }
    }
    mix(concord, sum);
}

/* What was being summed up is of the state before. */
void concord_cut(struct concord *concord)
{
    concord->is_cut = true;
    concord->is_whole = false;
    memset(concord->own, 0, sizeof(concord->own));
    concord->newest.entries = 0;
}

static struct voice *voice_of(struct concord *concord, uint64_t id)
{
    struct voice *free = NULL;

    for (size_t i = 0; i < MEMBERS_MOST; i++) {
        struct voice *voice = &concord->others[i];

        if (voice->id == id) {
            return voice;
        }
        free = voice->id == 0 && free == NULL ? voice : free;
    }
    return free;
}

void concord_hear(struct concord *concord, uint64_t id, const struct peer_sum *sum)
{
    struct voice *voice = voice_of(concord, id);

    if (voice != NULL && sum->entries == concord->entries) {
        voice->id = id;
        *place_of(voice->said, sum->stretch) = *sum;
    }
}

static bool is_voter(const struct members *members, uint64_t id)
{
    const struct member *member = members_find(members, id);

    return member != NULL && member->role == REPLICA_VOTER;
}

static size_t count_voters(const struct members *members)
{
    size_t count = 0;

    for (size_t i = 0; i < members->count; i++) {
        count += members->list[i].role == REPLICA_VOTER;
    }
    return count;
}

/* Voters that say so. */
static size_t count_saying(const struct concord *concord, const struct members *members,
                           const struct peer_sum *sum)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMBERS_MOST; i++) {
        const struct voice *voice = &concord->others[i];
        const struct peer_sum *said = &voice->said[sum->stretch % CONCORD_KEPT];

        count += said->entries == sum->entries && said->stretch == sum->stretch &&
                 said->sum == sum->sum && is_voter(members, voice->id);
    }
    return count;
}

bool concord_dissents(const struct concord *concord, const struct members *members,
                      uint64_t *stretch)
{
    const size_t majority = count_voters(members) / 2 + 1;

    for (size_t i = 0; i < MEMBERS_MOST; i++) {
        for (size_t j = 0; j < CONCORD_KEPT; j++) {
            const struct peer_sum *own = &concord->own[j];
            const struct peer_sum *said = &concord->others[i].said[j];

            if (own->entries != 0 && said->entries == own->entries &&
                said->stretch == own->stretch && said->sum != own->sum &&
                count_saying(concord, members, said) >= majority) {
                *stretch = own->stretch;
                return true;
            }
        }
    }
    return false;
}
