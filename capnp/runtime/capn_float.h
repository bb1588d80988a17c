/* SPDX-License-Identifier: MIT */
/*
 * Float32 and Float64 fields. Apart from the rest because a kernel is compiled without
 * floating-point registers; generated code includes this header only where the schema has such a
 * field.
 */
#ifndef CAPNP_RUNTIME_CAPN_FLOAT_H
#define CAPNP_RUNTIME_CAPN_FLOAT_H

#include "capn.h"

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754 single and double");

static inline float capn_float_of_bits(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline double capn_double_of_bits(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t capn_bits_of_float(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline uint64_t capn_bits_of_double(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline float capn_get_f32(struct capn_struct s, uint32_t offset, float default_value)
{
    return capn_float_of_bits(capn_get_u32(s, offset, capn_bits_of_float(default_value)));
}

static inline double capn_get_f64(struct capn_struct s, uint32_t offset, double default_value)
{
    return capn_double_of_bits(capn_get_u64(s, offset, capn_bits_of_double(default_value)));
}

static inline float capn_list_get_f32(struct capn_list list, uint32_t index)
{
    return capn_float_of_bits(capn_list_get_u32(list, index));
}

static inline double capn_list_get_f64(struct capn_list list, uint32_t index)
{
    return capn_double_of_bits(capn_list_get_u64(list, index));
}

static inline void capn_set_f32(struct capn_struct_builder s, uint32_t offset, float value,
                                float default_value)
{
    capn_set_u32(s, offset, capn_bits_of_float(value), capn_bits_of_float(default_value));
}

static inline void capn_set_f64(struct capn_struct_builder s, uint32_t offset, double value,
                                double default_value)
{
    capn_set_u64(s, offset, capn_bits_of_double(value), capn_bits_of_double(default_value));
}

static inline void capn_list_set_f32(struct capn_list_builder list, uint32_t index, float value)
{
    capn_list_set_u32(list, index, capn_bits_of_float(value));
}

static inline void capn_list_set_f64(struct capn_list_builder list, uint32_t index, double value)
{
    capn_list_set_u64(list, index, capn_bits_of_double(value));
}

#endif
