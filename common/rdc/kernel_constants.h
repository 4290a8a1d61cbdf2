/* SPDX-License-Identifier: Apache-2.0 */
/* common/rdc/kernel_constants.h: the cut hash's multipliers, shared by the kernels. */
#ifndef COMMON_RDC_KERNEL_CONSTANTS_H
#define COMMON_RDC_KERNEL_CONSTANTS_H

#define CUT_K0 0x9e3779b1u
#define CUT_K1 0x85ebca77u
#define CUT_K2 0xc2b2ae3du
#define CUT_K3 0x27d4eb2fu

#endif
