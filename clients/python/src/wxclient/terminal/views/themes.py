"""Two calm themes: few colours, and none of them bright."""

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="wx-dark",
    primary="#7fa8c9",
    secondary="#8fb3a5",
    accent="#7fa8c9",
    warning="#d0b27a",
    error="#cf8a80",
    success="#93b98d",
    foreground="#d3d7dc",
    background="#16191d",
    surface="#1b1f24",
    panel="#22272d",
    dark=True,
    variables={
        "input-cursor-background": "#d3d7dc",
        "input-cursor-foreground": "#16191d",
        "block-cursor-background": "#2c3640",
        "block-cursor-foreground": "#d3d7dc",
        "block-cursor-blurred-background": "#252c33",
        "block-cursor-blurred-foreground": "#d3d7dc",
        "scrollbar": "#323941",
        "scrollbar-hover": "#3d464f",
        "scrollbar-active": "#4a5560",
        "scrollbar-background": "#1b1f24",
        "scrollbar-background-hover": "#1b1f24",
        "scrollbar-background-active": "#1b1f24",
    },
)
LIGHT: Final = Theme(
    name="wx-light",
    primary="#2f6690",
    secondary="#3d7a66",
    accent="#2f6690",
    warning="#8a6414",
    error="#a8433a",
    success="#3f7a3a",
    foreground="#22272d",
    background="#f7f6f3",
    surface="#f1f0ec",
    panel="#e8e6e1",
    dark=False,
    variables={
        "block-cursor-background": "#d9e2ea",
        "block-cursor-foreground": "#22272d",
        "block-cursor-blurred-background": "#e2e5e6",
        "block-cursor-blurred-foreground": "#22272d",
        "scrollbar": "#cfccc4",
        "scrollbar-hover": "#bdb9b0",
        "scrollbar-active": "#a9a59b",
        "scrollbar-background": "#f1f0ec",
        "scrollbar-background-hover": "#f1f0ec",
        "scrollbar-background-active": "#f1f0ec",
    },
)
THEMES: Final = (DARK, LIGHT)
