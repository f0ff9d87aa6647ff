package org.edge_asr.core.strip

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class StripScrollTest {
    private val scroll = StripScroll(chunkMs = 640.0)

    @Test
    fun `frames come in over the time that they lasted`() {
        scroll.arrived(16, nowMs = 1_000)
        assertEquals(0.0, scroll.shown(1_000), 0.0)
        assertEquals(4.0, scroll.shown(1_160), 1e-9)
        assertEquals(16.0, scroll.shown(1_640), 1e-9)
        assertEquals(16.0, scroll.shown(9_000), 1e-9)
    }

    @Test
    fun `the next step goes on from where it is`() {
        scroll.arrived(16, nowMs = 0)
        scroll.arrived(32, nowMs = 320)
        assertEquals(8.0, scroll.shown(320), 1e-9)
        assertEquals(20.0, scroll.shown(640), 1e-9)
        assertEquals(32.0, scroll.shown(960), 1e-9)
    }

    @Test
    fun `the same news twice does not start over`() {
        scroll.arrived(16, nowMs = 0)
        scroll.arrived(16, nowMs = 320)
        assertEquals(12.0, scroll.shown(480), 1e-9)
    }

    @Test
    fun `another stream begins at its beginning`() {
        scroll.arrived(100, nowMs = 0)
        scroll.arrived(0, nowMs = 2_000)
        assertEquals(0.0, scroll.shown(2_000), 0.0)
        scroll.arrived(16, nowMs = 3_000)
        assertEquals(8.0, scroll.shown(3_320), 1e-9)
    }

    @Test
    fun `it moves until all frames are in`() {
        assertFalse(scroll.moving(0))
        scroll.arrived(16, nowMs = 0)
        assertTrue(scroll.moving(639))
        assertFalse(scroll.moving(640))
    }
}
