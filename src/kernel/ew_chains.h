/* The table of the chains compiled ahead, of one instruction set. After ew_body.h was included for both types. */
#define BP__CHAIN_DATA
#include BP__FUSED_CHAINS
#undef BP__CHAIN_DATA

static const bp__ew_compiled bp__ew_chains[] = {
#define BP__CHAIN_ENTRIES
#include BP__FUSED_CHAINS
#undef BP__CHAIN_ENTRIES
    {.name = NULL}};
#define BP__EW_N_CHAINS ((int64_t)(sizeof bp__ew_chains / sizeof bp__ew_chains[0]) - 1)
