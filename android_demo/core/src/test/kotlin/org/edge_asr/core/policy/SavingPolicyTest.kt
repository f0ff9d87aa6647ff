package org.edge_asr.core.policy

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** When energy is saved, and what that does to the threshold: every state against every reading, not examples of them. */
class SavingPolicyTest {
    private val fractions = (0..100).map { it / 100.0 } + listOf(null)
    private val chargings = listOf(true, false, null)
    private val statuses = (0..6).toList() + listOf(null)
    private val phones = fractions.flatMap { f -> chargings.flatMap { c -> statuses.map { s -> PhoneState(f, c, s) } } }
    private val policies = listOf(false, true).flatMap { low -> listOf(false, true).map { SavingPolicy(low, it) } }
    private val thresholds = (0..20).map { it / 20f }

    private fun battery(fraction: Double, charging: Boolean = false) = PhoneState(fraction, charging, 0)

    private fun heat(status: Int?) = PhoneState(1.0, false, status)

    @Test
    fun `it never skips less than the user chose`() {
        for (policy in policies) for (on in listOf(true, false)) for (users in thresholds) for (default in thresholds) {
            val decision = policy.decide(on, users, default)
            assertTrue("$policy $on $users $default", decision.threshold <= users)
            assertEquals(decision.threshold != users, decision.changed)
        }
    }

    @Test
    fun `saving skips more wherever the user does not already`() {
        for (policy in policies - SavingPolicy()) for (users in thresholds) for (default in thresholds) {
            val saving = SavingPolicy.savingThreshold(default)
            val decision = policy.decide(true, users, default)
            assertEquals(minOf(users, saving), decision.threshold, 0f)
            assertEquals(users > saving, decision.changed)
        }
        assertTrue(SavingPolicy(low = true).decide(true, 1f, 0.7f).threshold < 0.7f)
    }

    @Test
    fun `the switch switches it off whatever the phone says`() {
        for (policy in policies) for (users in thresholds) {
            assertEquals(Decision(users, null, false), policy.decide(false, users, 0.7f))
        }
    }

    @Test
    fun `the reason says what is the matter, and there is none without one`() {
        assertNull(SavingPolicy().decide(true, 0.7f, 0.7f).reason)
        assertEquals(SavingReason.LOW_BATTERY, SavingPolicy(low = true).decide(true, 0.7f, 0.7f).reason)
        assertEquals(SavingReason.HEAT, SavingPolicy(hot = true).decide(true, 0.7f, 0.7f).reason)
        assertEquals(SavingReason.LOW_BATTERY_AND_HEAT, SavingPolicy(true, true).decide(true, 0.7f, 0.7f).reason)
    }

    @Test
    fun `it begins below 20 percent and ends at 25`() {
        assertFalse(SavingPolicy().seeing(battery(0.20)).low)
        assertTrue(SavingPolicy().seeing(battery(0.199)).low)
        assertTrue(SavingPolicy(low = true).seeing(battery(0.249)).low)
        assertFalse(SavingPolicy(low = true).seeing(battery(0.25)).low)
    }

    @Test
    fun `a phone that hovers at a mark does not switch to and fro`() {
        var policy = SavingPolicy()
        var switches = 0
        for (fraction in List(50) { listOf(0.201, 0.199) }.flatten()) {
            val next = policy.seeing(battery(fraction))
            if (next != policy) switches += 1
            policy = next
        }
        for (status in List(50) { listOf(1, 2) }.flatten()) {
            val next = policy.seeing(PhoneState(0.5, false, status))
            if (next.hot != policy.hot) switches += 1
            policy = next
        }
        assertEquals(2, switches)
    }

    @Test
    fun `heat counts from moderate on, until it is quite gone`() {
        assertFalse(SavingPolicy().seeing(heat(1)).hot)
        for (status in 2..6) assertTrue(SavingPolicy().seeing(heat(status)).hot)
        assertTrue(SavingPolicy(hot = true).seeing(heat(1)).hot)
        assertFalse(SavingPolicy(hot = true).seeing(heat(0)).hot)
    }

    @Test
    fun `a charged phone saves nothing for its battery, but still for heat`() {
        assertFalse(SavingPolicy(low = true).seeing(battery(0.05, charging = true)).low)
        assertTrue(SavingPolicy().seeing(PhoneState(0.05, true, 3)).hot)
    }

    @Test
    fun `what is not known leaves things as they are`() {
        for (policy in policies) assertEquals(policy, policy.seeing(PhoneState(null, null, null)))
    }

    @Test
    fun `the same reading once more changes nothing, and battery and heat do not mix`() {
        for (policy in policies) for (phone in phones) {
            val next = policy.seeing(phone)
            assertEquals("$policy $phone", next, next.seeing(phone))
            assertEquals(next.low, policy.copy(hot = !policy.hot).seeing(phone).low)
            assertEquals(next.hot, policy.copy(low = !policy.low).seeing(phone).hot)
        }
    }
}
