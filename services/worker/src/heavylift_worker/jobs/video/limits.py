"""Bounds that keep one film from taking the whole worker, each with its why."""

from fractions import Fraction

MAX_FRAME_SIDE = 8192
"""Pixels: 8K films (7680 x 4320) pass, and no H.264 level goes further."""

MAX_FRAME_PIXELS = 139_264 * 256
"""The frame of H.264's highest level (6.2: 139,264 macroblocks). A decoder keeps up to 16 of them: 850 MB in 8 bit."""

MAX_PIXEL_SHAPE = 4
"""Width of a pixel by its height, or the reverse: anamorphic film has 2. More is damage, and read as square."""

MAX_OPENING_PACKETS = 2_000
"""How far to look for the first whole picture: a recording cut out of a broadcast may begin a minute before one."""

MAX_GAP = Fraction(1800)
"""Seconds. A longer jump in time is a broken timestamp: filling it with silence could go on for years, and an MP4 holds
no picture longer than 2^31 ticks of its clock (36 minutes for the finest one)."""

MAX_DAMAGED_SHARE = 0.1
"""Players conceal a few broken pictures; a film with more of them than this is not what its owner sent."""

DURATION_TOLERANCE = 0.05
"""How much shorter than announced a film may be: headers round, and count streams that are not used."""

DURATION_SLACK = 1.0
"""Seconds; the same for short films."""

MAX_HEADER_LIE = 2
"""How many times the duration in its index an MP4's header may name. Far from 1, because delayed and trimmed tracks are
counted in many ways, and the index alone tells whether a film is whole."""

FILM_FORMATS = (
    "3gp,aac,aiff,apng,asf,avi,dv,flac,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,"
    "nut,ogg,rm,swf,wav,webm,wtv,yuv4mpegpipe"
)
"""Demuxers a film may use. Playlists and scripts (hls, concat, dash, sdp) are out: they make the worker open other
files and addresses. Sound formats are in, so that the refusal can say that there is sound only."""
