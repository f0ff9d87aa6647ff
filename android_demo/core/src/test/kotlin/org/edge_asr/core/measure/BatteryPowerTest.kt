package org.edge_asr.core.measure

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Vendors differ in the unit and the sign of a battery's current. */
class BatteryPowerTest {
    private fun samples(vararg currents: Long?, voltage: Int? = 4_000) =
        currents.mapIndexed { second, current -> BatterySample(second.toDouble(), current, voltage, false) }

    private fun refusal(samples: List<BatterySample>): String =
        assertThrows(NotCoveredException::class.java) { batteryPower(samples) }.message!!

    @Test
    fun `the same power is found in every unit and sign`() {
        val variants = listOf(
            samples(-250_000, -500_000),
            samples(250_000, 500_000),
            samples(-250, -500),
            samples(250, 500),
            samples(-250_000, -500_000, voltage = 4_000_000),
        )
        for (variant in variants) assertArrayEquals(doubleArrayOf(1.0, 2.0), batteryPower(variant).watts, 1e-12)
    }

    @Test
    fun `what was read and what it was taken for is told`() {
        assertEquals(
            "raw current -500000 to -250000 at raw voltage 4000; taken for µA, negative when discharging",
            batteryPower(samples(-250_000, -500_000)).meaning.inWords(),
        )
        val other = batteryPower(samples(250, 500)).meaning
        assertEquals(CurrentUnit.MILLIAMPERE to DischargeSign.POSITIVE, other.unit to other.sign)
        assertEquals(250L to 500L, other.lowestRaw to other.highestRaw)
    }

    @Test
    fun `the largest of a run tells the unit of all`() {
        // 5 mA at rest, in a gauge of µA
        val watts = batteryPower(samples(-5_000, -400_000)).watts
        assertEquals(0.02, watts[0], 1e-12)
    }

    @Test
    fun `samples without a current or a voltage are left out`() {
        val found = batteryPower(samples(-250_000, null, -500_000))
        assertArrayEquals(doubleArrayOf(0.0, 2.0), found.timesS, 0.0)
    }

    @Test
    fun `what tells no power is refused`() {
        assertEquals("the battery's gauge tells no current", refusal(samples(null, null)))
        assertEquals("the battery's gauge tells no current", refusal(samples(-250_000, voltage = null)))
        assertEquals("the battery's gauge gives no current but 0", refusal(samples(0, 0)))
        assertTrue(refusal(samples(-250_000, 30_000)).startsWith("the battery's current changed its direction"))
        assertTrue(refusal(samples(-250_000, voltage = 4)).startsWith("the battery gives 4 as its voltage"))
    }

    @Test
    fun `a screen shows milliwatts, and why there are none`() {
        val meter = LivePowerMeter()
        assertEquals(LivePower.Measured(1e3, "battery"), meter.seeing(samples(-250_000).single()))
        assertEquals(LivePower.Charging, meter.seeing(samples(400_000).single().copy(plugged = true)))
        assertEquals(LivePower.NotTold, meter.seeing(samples(null).single()))
        assertEquals(LivePower.NotTold, LivePowerMeter().seeing(samples(-9_000).single()))
    }

    @Test
    fun `a screen remembers the unit that a larger current told`() {
        val meter = LivePowerMeter()
        meter.seeing(samples(-250_000).single())
        val rest = meter.seeing(samples(-2_500).single()) as LivePower.Measured
        assertEquals(10.0, rest.mw, 1e-9)
        assertNull(batteryWatts(samples(0).single(), 250_000))
    }
}
